"""python -m benchmarks.kills: SIGKILLs over the commands that promise to go on where they were killed.

Every case takes a fresh copy of a prepared project (12x12 images, two folds, two epochs), starts a command in a process
group of its own, and kills it: after a random part of the time that it takes undisturbed, or at the instant when a chosen
file appears, a journal has grown so far, or a server on loopback has been called. Mostly the whole group dies, sometimes only
the main process, whose children are then orphans while the next command runs already; sometimes the resumed commands are killed
as well; a share begins with a cold cache. Then the command that resumes runs to its end. What it leaves is held against an
undisturbed reference: predictions, folds, weights, scores without times, verdicts, trials, submission and bundle, and how often
the server was sent something. Where something was left lying, and in every fourth case, the command is run once more.

Moments are drawn from the seed and the case's name alone, so `--case cv:17` repeats one; a random time is a share of how long
the command takes here and now. Needs Linux (/proc) and the extra dev; calls nothing but loopback.
"""
