"""Where a run is wrong, by class, label, number or grade, by confidence and group, and which labels it doubts.

run -> by_task -> analysis (classes), grades, labels, numbers -> class_report, grade_report, label_report, number_report
               -> report (errors.html, errors.csv); resampling: intervals
"""
