"""What is chosen on a page is in its address, whatever the browser still believes."""

from typing import Any
from urllib.parse import urlencode

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from lib.ui import address

    address.follow(st.session_state.get("page", "one"))
    st.button("choose", on_click=address.put, args=("span", ["a", "b"]))
    st.button("undo", on_click=address.put, args=("span", []))
    st.button("choose another", on_click=address.put, args=("span", ["c"]))
    st.text(",".join(address.values("span")))


def run(**query: Any) -> AppTest:
    app = AppTest.from_function(page)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def shown(app: AppTest) -> tuple[str, str]:
    """What the page takes for chosen, and the address."""
    return app.text[0].value, urlencode(app.query_params, doseq=True)


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


def test_an_address_that_nobody_here_wrote_is_the_viewers_own_doing() -> None:
    app = run(span=["x"])
    app.button[0].click().run()
    app.run()
    app.query_params["span"] = ["x"]
    app.run()
    assert shown(app) == ("x", "span=x")


def test_addresses_of_before_undo_nothing_while_the_newest_is_on_its_way() -> None:
    app = run(span=["x"])
    app.button[0].click().run()
    app.query_params["span"] = ["x"]
    app.button[2].click().run()
    for late in (["x"], ["a", "b"]):
        app.query_params["span"] = late
        app.run()
        assert shown(app) == ("c", "span=c")


def test_what_was_chosen_survives_a_visit_to_another_page_however_short() -> None:
    app = run(span=["x"])
    app.button[0].click().run()
    app.run()
    app.query_params.clear()
    app.run()
    assert shown(app) == ("a,b", "span=a&span=b")
    for page in ("two", "one"):
        app.session_state["page"] = page
        app.query_params.clear()
        app.run()
    assert shown(app) == ("a,b", "span=a&span=b")


def test_a_link_met_by_a_refresh_is_told_once_to_who_keeps_the_values_itself() -> None:
    def own_keeping() -> None:
        import streamlit as st

        from lib.ui import address

        address.follow("one")
        st.text(str(address.went_back(["name"])))
        address.write("name", ["own"])

    app = AppTest.from_function(own_keeping).run()
    told = [app.text[0].value]
    for query in (["own"], ["of a link"], ["own"]):
        app.query_params["name"] = query
        app.run()
        told.append(app.text[0].value)
    assert told == ["False", "False", "True", "False"]
