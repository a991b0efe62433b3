from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from fer_core.settings import ROOT
from pages._ui.shell import PAGES


def links(page: AppTest) -> list[str]:
    return [link.value for link in page.sidebar.get("page_link")]


@pytest.mark.parametrize("slug", [page.slug for page in PAGES])
def test_every_page_has_the_same_sidebar(app, slug):
    page = app(slug)
    assert not page.exception
    assert links(page) == [entry.title for entry in PAGES]


def test_every_page_of_the_folder_is_in_the_sidebar():
    assert {page.slug for page in PAGES} - {"home"} == {path.stem for path in (ROOT / "pages").glob("*.py")}


def test_an_error_with_a_sentence_is_shown_as_that_sentence():
    def script():
        from fer_core.errors import DatasetMissing
        from pages._ui import shell

        with shell.boundary():
            raise DatasetMissing("FER2013 was not found. Set FER_DATA_DIR.")

    page = AppTest.from_function(script).run()
    assert not page.exception
    assert page.error[0].value == "FER2013 was not found. Set FER_DATA_DIR."


def test_any_other_error_is_a_plain_sentence_and_the_log_names_no_content(caplog):
    def script():
        from pages._ui import shell

        with shell.boundary():
            raise ValueError("holiday-with-anna.jpg has 3 channels")

    page = AppTest.from_function(script).run()
    assert not page.exception
    assert "Something went wrong" in page.error[0].value
    assert "anna" not in page.error[0].value
    assert "anna" not in caplog.text
    assert "ValueError at " in caplog.text


def test_stopping_and_rerunning_go_through_the_boundary():
    def script():
        import streamlit as st

        from pages._ui import shell

        with shell.boundary():
            if "again" not in st.session_state:
                st.session_state["again"] = True
                st.rerun()
            st.write("second run")
            st.stop()

    page = AppTest.from_function(script).run()
    assert not page.exception
    assert not page.error
    assert page.markdown[0].value == "second run"
