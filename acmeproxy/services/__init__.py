"""Use cases, one public class each, and the ports that they need."""
