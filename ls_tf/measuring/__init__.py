"""What evaluators share: their protocol, checks, choices and the translator."""
