"""The contract of the Vimmerse batch API: vocabulary, schemas, operations, checks and the suite.

Floor 0 of the house: everything else may import it, and it imports neither the mock nor the client.
"""
