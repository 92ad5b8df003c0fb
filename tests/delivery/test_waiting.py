"""What waits in a queue, against a plain list of items."""

from hypothesis import given
from hypothesis import strategies as st

from logroute.delivery.waiting import Run, Waiting

LEVELS = st.sampled_from([10, 20, 40, 1000])
ITEMS = st.one_of(
    st.tuples(st.binary(max_size=4), LEVELS).map(lambda pair: (*pair, len(pair[0]))),
    st.tuples(st.one_of(st.binary(max_size=4), st.text(max_size=2)), LEVELS, st.integers(5, 9)),
)
STEPS = st.one_of(
    st.tuples(st.just("extend"), st.lists(ITEMS, max_size=5)),
    st.tuples(st.just("run"), st.lists(st.binary(max_size=4), min_size=1, max_size=5), LEVELS),
    st.tuples(st.just("move_from"), st.lists(ITEMS, max_size=5)),
    st.tuples(st.just("take"), st.integers(0, 6), st.integers(0, 20)),
    st.tuples(st.just("popleft")),
    st.tuples(st.just("clear")),
)


def take(model, most, most_bytes):
    """Return how many of `model` fit: at least one if there is any."""
    count, size = 0, 0
    for _, _, more in model[:most]:
        size += more
        if size > most_bytes and count:
            break
        count += 1
    return count


@given(st.lists(STEPS, max_size=30))
def test_all_comes_out_as_it_went_in(steps):
    """In order, with its levels and sizes; length, bytes and the highest level agree."""
    waiting, model = Waiting(), []
    for name, *arguments in steps:
        if name == "extend":
            waiting.extend(arguments[0])
            model += arguments[0]
        elif name == "run":
            waiting.extend([Run(*arguments)])
            model += [(payload, arguments[1], len(payload)) for payload in arguments[0]]
        elif name == "move_from":
            other = Waiting.of(arguments[0])
            waiting.move_from(other)
            assert (len(other), list(other), other.bytes) == (0, [], 0)
            model += arguments[0]
        elif name != "popleft" or model:
            count = {"popleft": 1, "clear": len(model)}.get(name)
            count = take(model, *arguments) if count is None else count
            taken = getattr(waiting, name)(*arguments)
            assert ([taken] if name == "popleft" else taken) == model[:count]
            del model[:count]
        assert (list(waiting), len(waiting)) == (model, len(model))
        assert waiting.bytes == sum(size for _, _, size in model)
        assert waiting.highest == max((level for _, level, _ in model), default=0)


def test_level_that_says_more_stays_itself():
    """Levels that are equal are not always the same."""

    class Own(int):
        pass

    waiting = Waiting.of([(b"a", 20, 1), (b"b", Own(20), 1), (b"c", 20, 1)])
    assert [type(level) for _, level, _ in waiting.take(3, 9)] == [int, Own, int]
