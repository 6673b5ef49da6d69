"""`python -m consentline`: the same as the command `consentline`."""

from consentline.cli import main

main()
