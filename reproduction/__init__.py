"""Do finished runs confirm what the paper says? Its Table 1, its Figure 1 and a verdict on each of its claims.

    python -m reproduction results/table1 --out docs/table1.md

Made from run folders alone, with the tables, tests and plots of `cohear.reports`. Not a part of the package: these are
the claims of one paper, and this is how we judge them.
"""
