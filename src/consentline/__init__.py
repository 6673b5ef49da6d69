"""Consentline: was this post used, may it be used, and what must be retrained?"""

__version__ = "0.1.0"
