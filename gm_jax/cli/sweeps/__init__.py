"""--sweep FIELD=A,B,C: one experiment for each value, in sibling folders; several make a grid."""
