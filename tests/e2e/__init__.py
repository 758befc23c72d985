"""A whole node used through its doors, by clients that no one here wrote; on both engines, several workers."""
