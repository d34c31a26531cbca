"""The key schedules as typed ladders, and the transcript."""
