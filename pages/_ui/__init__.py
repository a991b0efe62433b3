"""What the pages share. The leading underscore and the folder keep these files from being pages of their own."""
