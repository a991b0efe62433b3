"""One frozen object with every folder and limit. Values come from the environment; each has a default.

========================  =======================================================================  ==================
variable                  meaning                                                                  default
========================  =======================================================================  ==================
``FER_DATA_DIR``          FER2013: the Kaggle folder, its zip, a folder with either, or            not set
                          ``fer2013.csv``
``FERPLUS_CSV``           The FER+ project's ``fer2013new.csv``                                    not set
``FER_MODELS_DIR``        Folder of model folders                                                  ``models`` beside
                                                                                                   the package
``FER_CACHE_DIR``         Where the memory-mapped copy of FER2013 is kept                          ``.cache`` beside
                                                                                                   the package
``FER_MAX_MEGAPIXELS``    Largest picture that is decoded, in millions of pixels                   ``25``
========================  =======================================================================  ==================
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fer_core.errors import FerError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Folders and limits. Build with :meth:`from_environment`, or directly in a test."""

    data_dir: Path | None = None
    ferplus_csv: Path | None = None
    models_dir: Path = ROOT / "models"
    cache_dir: Path = ROOT / ".cache"
    max_pixels: int = 25_000_000

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from `environ` (the process environment by default).

        Raises
        ------
        FerError
            If ``FER_MAX_MEGAPIXELS`` is not a positive number.
        """
        env = os.environ if environ is None else environ

        def path(name: str) -> Path | None:
            value = env.get(name, "").strip()
            return Path(value).expanduser() if value else None

        megapixels = env.get("FER_MAX_MEGAPIXELS", "25")
        try:
            max_pixels = int(float(megapixels) * 1_000_000)
        except ValueError:
            max_pixels = 0
        if max_pixels <= 0:
            raise FerError(f"FER_MAX_MEGAPIXELS is {megapixels!r}; it must be a positive number such as 25.")
        return cls(
            data_dir=path("FER_DATA_DIR"),
            ferplus_csv=path("FERPLUS_CSV"),
            models_dir=path("FER_MODELS_DIR") or cls.models_dir,
            cache_dir=path("FER_CACHE_DIR") or cls.cache_dir,
            max_pixels=max_pixels,
        )
