"""The app room: the only one that knows both wings, config and engine."""
