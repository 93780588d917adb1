"""What the kill test, the soak and the fuzzer share: seeds, targets with their oracles, a sender, a count by UID."""
