"""Work that is done on Kaggle's machines: packed here, pushed once as a private notebook, followed, brought back, checked, put in place.

    options    the options of a command that can be played there
    job        what is to be done there, and what it is known by
    wheel      the harness as a wheel; pack: it and the competition's folder as the files of one private data set
    notebook   the notebook that is pushed: finds what was sent, plays the command
    account    the calls about one's own data sets and notebooks, with what they mean
    journal    each step, written before the next; the same command goes on from its last line
    data_set   the data set, made or renewed where its content is another
    session    from a job to its files: push, follow, fetch
    follow     state and log of a session as progress here
    arrived    what came back: names, checksums, the run's own checks, in place
    inside     what is done there

Nothing is pushed twice: a step whose answer was lost is looked for by its tag before it is made again.
"""
