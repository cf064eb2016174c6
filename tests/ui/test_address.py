"""What is chosen on a page is in its address, whatever the browser still believes."""

from typing import Any

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from lib.ui import address

    st.button("choose", on_click=address.put, args=("span", ["a", "b"]))
    st.button("undo", on_click=address.put, args=("span", []))
    st.text(",".join(address.values("span")))


def run(**query: Any) -> AppTest:
    app = AppTest.from_function(page)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def test_a_link_chooses() -> None:
    assert run(span=["x"]).text[0].value == "x"
    assert run().text[0].value == ""


def test_what_is_chosen_is_in_the_address_until_it_is_undone() -> None:
    app = run(span=["x"])
    app.button[0].click().run()
    assert (app.text[0].value, app.query_params["span"]) == ("a,b", ["a", "b"])
    app.button[1].click().run()
    assert app.text[0].value == ""
    assert "span" not in app.query_params


def test_a_refresh_that_comes_with_the_address_of_before_undoes_nothing() -> None:
    app = run()
    app.button[0].click().run()
    app.query_params.clear()
    app.run()
    assert (app.text[0].value, app.query_params["span"]) == ("a,b", ["a", "b"])
