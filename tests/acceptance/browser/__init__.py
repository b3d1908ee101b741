"""The page in a real browser.

A package, so that its tests share one site, which ends with the last of them.
"""
