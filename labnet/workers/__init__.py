"""Workers: processes that serve the resolvers' ports together, and the supervisor that keeps them running."""
