"""What is done for each check; the sentences stand in labnet/grade/assignments."""
