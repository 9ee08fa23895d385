"""python -m benchmarks.faults: what harness.submit makes of every fault at every step of either platform's protocol.

The real command, in this process (some cases in one of their own), the real kaggle client, servers on loopback. A fault is
ordered for one step of the first command, before the server did its work or after it; then the same command is given again,
then --resume until nothing is open. What is counted for each case:

    double      the server recorded the file more than once, without --force
    lost        the server has it and no entry says so; or it has not, and an entry claims a score or a reference
    leaked      a credential, in any writing, in the output or in the ledger
    control     control characters, overrides of the writing direction, a foreign line that passes for an error of ours
    traceback   a command ended in one
    open        not ended by the follow-ups: counted, but no failure

Case names are stable: PLATFORM/STEP/before|after|read/FAULT.
"""
