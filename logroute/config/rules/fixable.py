"""The rules whose findings may come with a fix; see `config/views/fixes.py`.

Written by ``python tests/kits/rule_pages.py``, from the findings in the bad fixtures.
"""

__all__ = ["SAFE", "UNSAFE"]

#: `check --fix` corrects them, where that is certain.
SAFE = frozenset(
    {
        "LR101",
        "LR102",
        "LR103",
        "LR105",
        "LR106",
        "LR107",
        "LR206",
        "LR209",
        "LR301",
        "LR303",
        "LR313",
        "LR314",
        "LR318",
        "LR401",
        "LR405",
        "LR409",
        "LR412",
        "LR905",
        "LR906",
        "LR908",
        "LR909",
    }
)

#: `check --fix --unsafe-fixes` does.
UNSAFE = frozenset(
    {
        "LR011",
        "LR201",
        "LR202",
        "LR307",
        "LR309",
        "LR402",
        "LR411",
        "LR507",
        "LR510",
        "LR602",
        "LR604",
        "LR605",
        "LR607",
        "LR702",
        "LR703",
        "LR704",
        "LR802",
        "LR803",
        "LR805",
        "LR806",
        "LR807",
        "LR810",
        "LR812",
        "LR813",
        "LR814",
        "LR901",
        "LR902",
        "LR910",
        "LR912",
        "LR914",
    }
)
