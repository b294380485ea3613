"""The grader: runs a student's program against scripted peers and says which byte decides."""
