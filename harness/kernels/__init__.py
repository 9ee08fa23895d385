"""Work that is done on Kaggle's machines: packed here, pushed once as a private notebook, followed, brought back, checked, put in place.

    options    the options of a command that can be played there
    job        what is to be done there, and what it is known by
    pack       the harness's wheel and the competition's folder as the files of one private data set
    journal    each step, written before the next; the same command goes on from its last line
    pushing    a notebook is pushed once, and followed; session: from a job to its files
    arrived    what came back: names, checksums, the run's own checks, in place
    inside     what is done there
    kaggle/    account: the calls about one's own data sets and notebooks, with what they mean; data_set: made, or renewed where its content
               is another; notebook: what is pushed; follow: state and log of a session as progress here

Nothing is pushed twice: a step whose answer was lost is looked for by its tag before it is made again.
"""
