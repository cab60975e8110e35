"""Language models through OpenAI's API."""
