"""What will the test predictions score? From OOF, the noise suite and unlabelled test images to an interval.

runs -> inputs (labelled, test and noise predictions) -> domain_shift, estimators -> calibration -> interval -> forecast -> report
kinds (what classes, labels and numbers answer) -----------^
track_record (past submissions) ----^                                             evaluation (how forecasts have fared)
"""
