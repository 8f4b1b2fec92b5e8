"""What is fit to train on: the response score, the other rules, and a record of everything dropped."""
