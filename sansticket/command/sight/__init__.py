"""Commands that look into connections: captures, ladders, replays."""
