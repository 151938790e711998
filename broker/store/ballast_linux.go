package store

// allocates says that Preallocate of this system's files takes the room or fails.
const allocates = true
