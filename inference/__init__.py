"""Text generation: requests in, answers out, nothing lost and nothing made twice."""
