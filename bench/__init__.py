"""Questions with numbers: peers started on this machine in this run, driven from outside by HTTP and command lines.

Nothing here imports the packages of Wheelyard: a bench that reaches inside measures something no user has.
"""
