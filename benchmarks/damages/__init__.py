"""What damaged files do to the commands that read them: run folders, the decoded cache, a study's journal, verdicts.

python -m benchmarks.damages [--only runs|cache|journal|clean] [--match PATTERN] [--json FILE] [--work DIR] [--lanes 2]

A tiny project is made once: 54 images of 12x12, three folds, verdicts, two runs (one with the noise suite) and a third of
another image size, a study. Then for each damage (a file and what is done to it) and each command that reads the file, a
copy of project and cache is damaged and the command is run there, and what it says and writes is held against the same
command on an undamaged copy:

seen       exit 2 with a message that names the file (or its folder) and a cure; or it goes on and says what is wrong
healed     exit 0, every number as it was, and the file has been put right
harmless   exit 0, every number as it was, and the file is left as it is
WRONG      exit 0 with other numbers, and nothing said
VAGUE      exit 2, but the message names neither the file nor its folder, or no cure
TRACEBACK  any other end: a traceback, a signal, a command that does not end
STUCK      the cure that a message names was followed (delete what it says, --resume, --overwrite, ...) and did not help

Exit code 1 if any is WRONG, VAGUE, TRACEBACK or STUCK. Commands are run in children that are forked from a process which
has imported the harness but computed nothing; in the child everything is as with `python -m`.
"""
