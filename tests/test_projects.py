"""What projects are called, and what an earlier name means."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from lib.projects import called, project_names

PATHS = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(
        lambda parts: "/" + "/".join(parts)
    ),
    unique=True,
)


def names(*paths: str | None) -> list[str | None]:
    return list(project_names(pd.Series(paths, dtype="object")))


def test_a_project_is_called_by_as_much_of_its_path_as_tells_it_from_the_others() -> None:
    assert names("/home/me/api", "/home/me/web") == ["api", "web"]
    assert names("/me/client1/services/web", "/me/client2/services/web", "/me/shop/web", "/a") == [
        "client1/services/web",
        "client2/services/web",
        "shop/web",
        "a",
    ]
    assert names("/web", "/srv/web", "C:\\work\\web", "/") == ["/web", "srv/web", "work/web", "/"]


@given(PATHS)
def test_two_projects_never_share_a_name(paths: list[str]) -> None:
    assert len(set(names(*paths))) == len(paths)


@given(PATHS, PATHS)
def test_an_earlier_name_of_a_project_still_means_it(first: list[str], later: list[str]) -> None:
    before = dict(zip(first, names(*first), strict=True))
    paths = list(dict.fromkeys([*first, *later]))
    after = dict(zip(paths, names(*paths), strict=True))
    for path, name in before.items():
        assert after[path] in called(name or "", [one or "" for one in after.values()])


def test_a_name_that_nothing_has_means_nothing() -> None:
    assert called("gone", ["here", "a/gone2"]) == []
    assert called("work/api", ["api", "web"]) == ["api"]
