"""All state, in Redis or Valkey."""
