"""How to read a heat map, and what it cannot show: a page for a class."""

from __future__ import annotations

from typing import Final

import streamlit as st

from fer_core.explain import faithfulness as f
from fer_core.wording import percent
from pages._ui import url

_TEXT: Final = """
#### What the colours mean

A class activation map (Grad-CAM) answers one question: *in which cells of the network’s last feature maps is there
evidence for this label?* Bright cells raised the score, dark ones did not. With “rather than”, red cells raised the one
label’s logit more than the other’s, blue cells the other’s.

#### What to look at first

1. **The grid.** The picture looks smooth because it is enlarged. Behind it are a few cells, often 6 × 6; each covers
   an eye or half a mouth. “The map itself” shows them. Nothing finer than a cell can be read from it.
2. **The question.** A map belongs to a label. Ask for another label and it changes; the map of the highest score alone
   does not tell why the runner-up lost. Ask “rather than”.
3. **The verdict.** A heat map always looks like an explanation. So every map here is put to the test:
   - *Taken away, brought back*: blur the marked parts first. If the score falls no faster than with random parts
     (chance beats 50 %), the map has not found what the score rests on. “Trust” needs {sure}, below
     {weak} is “do not trust”.
   - *Changed a little*: mirror the face, or move it by one pixel. A map that jumps was an accident. “Trust” needs a
     correlation of {stable:.2f}.
   - *Random weights*: draw the weights anew. A map that hardly changes (correlation above {control:.2f}) shows the
     picture’s edges, not what was learnt.

#### What a heat map cannot show

- **Why** a part counts. It says *there*, not *what*: a bright mouth can mean teeth, shape or shadow.
- **What is missing.** Evidence that is not there lights up nowhere. Use *What if* and cover a part.
- **That the label is right.** A wrong answer has a map as convincing as a right one. Compare the maps of an error with
  those of right answers in *A confusion, taken apart*.
- **What somebody feels.** The map explains a score for a label that annotators gave to pictures, nothing else.

#### Exercises

1. Find a face whose two highest scores are close, and look at the contrast. Which cells decide? Cover them.
2. Open *disgust → angry* in *A confusion, taken apart*. On which parts does the map lie more, on which less, than on
   faces labelled angry? Is the difference larger than its interval?
3. Choose the rebuilt model of the report. Why does every verdict say “do not trust”?
4. Open *Where a class is lost*. Which line claims most lost images, and how often does the same hold for images that
   are *not* lost?
"""


def draw() -> None:
    """Draw the text."""
    url.write(image=None, face=None, sample=None, label=None, against=None, true=None, pred=None)
    st.markdown(
        _TEXT.format(
            sure=percent(f.BEATS_SURE, 0), weak=percent(f.BEATS_WEAK, 0), stable=f.STABLE_SURE, control=f.CONTROL_WEAK
        )
    )
