package node

// connectionsMax is how many MQTT connections there may be at a time, whatever the listeners say.
const connectionsMax = 100_000

// filesKept are for everything that is no MQTT connection: the store's tables and logs (some 310), links, bridges and HTTP.
const filesKept = 400

// connections is how many MQTT connections files leave room for; 0 files = any number. Without that bound whoever opens connections takes the
// store's descriptors, and a store that cannot open its next file ends the process.
func connections(files int) int {
	if files == 0 {
		return connectionsMax
	}
	return min(connectionsMax, max(files-filesKept, files/4))
}
