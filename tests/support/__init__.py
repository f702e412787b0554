"""What tests of several rooms share: servers, clocks, waiting, and what the machine must have."""
