"""The contract suite.

    pytest --pyargs vimmerse_contracts.suite --vimmerse-target mock|intercept|URL

What the tests assert, they assert through the public API and through what the target declares that
it can do. Each test's docstring says what is true and ends with the ids of the rules that it holds
the target to, as `vimmerse_contracts.operations.all_rules()` has them.
"""
