"""What each monitor tells while a training goes on: from its numbers to a finding, one module a monitor."""
