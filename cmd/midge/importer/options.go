package importer

import "strings"

// A handler does what one option asks for.
type handler func(c *conf, at *cursor, d directive)

// options are all of Mosquitto 1.6 to 2.1. What the handlers mean stands below and in the files of their topics.
var options map[string]handler

func init() { // include refers to the table
	options = map[string]handler{
		// Who may do what.
		"per_listener_settings":          perListenerSettings,
		"allow_anonymous":                allowAnonymous,
		"listener_allow_anonymous":       listenerAllowAnonymous,
		"password_file":                  passwordFile,
		"acl_file":                       aclFile,
		"psk_file":                       lost("Go's TLS has no pre-shared keys; use certificates"),
		"plugin":                         loadPlugin,
		"auth_plugin":                    loadPlugin,
		"global_plugin":                  loadPlugin,
		"plugin_load":                    loadPlugin,
		"plugin_use":                     onListener(usePlugin),
		"auth_plugin_deny_special_chars": moot,
		"clientid_prefixes":              lost("Midge lets a client id be chosen freely; give each client a user"),
		"allow_zero_length_clientid":     always(true, "Midge gives clients without an id one"),
		"auto_id_prefix":                 lost("the ids that Midge gives have a prefix of their own"),
		"listener_auto_id_prefix":        lost("the ids that Midge gives have a prefix of their own"),
		"check_retain_source":            lostIf(true, "read access is checked at delivery, the publisher's right to write at publication only"),

		// State on disk.
		"persistence":                  persistence,
		"retained_persistence":         persistence,
		"persistence_location":         persistenceLocation,
		"persistence_file":             moot,
		"autosave_interval":            moot, // always on disk
		"autosave_on_changes":          moot,
		"persistent_client_expiration": persistentClientExpiration,

		// Bounds.
		"max_inflight_messages":  maxInflight,
		"max_inflight_bytes":     lostUnlessZero("inflight in [limits] bounds how many messages are under way, not their size"),
		"max_queued_messages":    queueMessages,
		"max_queued_bytes":       queueBytes,
		"max_packet_size":        maxPacketSize,
		"max_keepalive":          maxKeepalive,
		"memory_limit":           memoryLimit,
		"message_size_limit":     lostUnlessZero("max_packet_size of a [[listener]] bounds the whole packet and closes the connection"),
		"global_max_connections": globalConnections,
		"global_max_clients":     globalClients,

		// How messages go.
		"allow_duplicate_messages": moot, // overlapping subscriptions give one copy
		"queue_qos0_messages":      queueQoS0,
		"upgrade_outgoing_qos":     always(false, "a message is delivered at the lower of its own QoS and the subscription's"),
		"retain_available":         retainAvailable,
		"retain_expiry_interval":   lost("retained messages stay until their Message Expiry Interval, which MQTT 5 publishers set"),
		"retry_interval":           moot, // Mosquitto ignores it since 1.5
		"sys_interval":             sysInterval,
		"enable_control_api":       always(false, "there is no $CONTROL; midge reload and the files do its work"),

		// The process.
		"user":                    lost(`set "User=" in the systemd unit; Midge does not change its user`),
		"pid_file":                lost("Midge writes no file with its process id; systemd knows it"),
		"include_dir":             include,
		"set_tcp_nodelay":         moot, // always
		"packet_buffer_size":      moot, // buffers are lent
		"websockets_headers_size": moot,
		"websockets_log_level":    moot,

		// Logging.
		"log_dest":             logDest,
		"log_facility":         moot, // told with log_dest syslog
		"log_type":             logType,
		"log_timestamp":        always(true, "every line of the log has its time"),
		"log_timestamp_format": lost("times in the log are as RFC 3339 writes them"),
		"connection_messages":  always(true, `connections are logged at level "info"; level = "warn" leaves them out with all else of that level`),

		// Listeners.
		"listener":                        newListener,
		"port":                            port,
		"bind_address":                    bindAddress,
		"bind_interface":                  onAnyListener(bindInterface),
		"socket_domain":                   onAnyListener(socketDomain),
		"protocol":                        guarding(onAnyListener(protocol)),
		"max_connections":                 onAnyListener(maxConnections),
		"max_qos":                         onAnyListener(maxQoS),
		"maximum_qos":                     onAnyListener(maxQoS),
		"max_topic_alias":                 onListener(maxTopicAlias),
		"max_topic_alias_broker":          onListener(maxTopicAliasBroker),
		"mount_point":                     guarding(onListener(mountPoint)),
		"http_dir":                        onListener(lost("Midge serves no files")),
		"websockets_origin":               guarding(onListener(websocketsOrigin)),
		"use_username_as_clientid":        onAnyListener(useUsernameAsClientID),
		"accept_protocol_versions":        onListener(acceptProtocolVersions),
		"enable_proxy_protocol":           guarding(onListener(proxyProtocol)),
		"proxy_protocol_v2_require_tls":   onListener(proxyRequiresTLS),
		"certfile":                        guarding(onAnyListener(file("cert_file"))),
		"keyfile":                         guarding(onAnyListener(file("key_file"))),
		"cafile":                          guarding(onAnyListener(file("ca_file"))),
		"crlfile":                         guarding(onAnyListener(file("crl_file"))),
		"capath":                          guarding(onAnyListener(caPath)),
		"require_certificate":             guarding(onAnyListener(requireCertificate)),
		"use_identity_as_username":        guarding(onAnyListener(useIdentity)),
		"use_subject_as_username":         guarding(onAnyListener(useSubject)),
		"disable_client_cert_date_checks": onListener(lostIf(true, "a certificate out of its time is refused")),
		"tls_version":                     onListener(tlsVersion),
		"ciphers":                         onAnyListener(lost("Go's TLS chooses, of suites that are all sound")),
		"ciphers_tls1.3":                  onAnyListener(lost("Go's TLS chooses, of suites that are all sound")),
		"dhparamfile":                     moot, // elliptic curves
		"tls_engine":                      guarding(onAnyListener(hardKey)),
		"tls_engine_kpass_sha1":           moot, // told with tls_engine
		"tls_keyform":                     guarding(onAnyListener(keyForm)),
		"psk_hint":                        guarding(onAnyListener(pskHint)),

		// Bridges.
		"connection":                     newBridge,
		"address":                        onBridge(bridgeAddress),
		"addresses":                      onBridge(bridgeAddress),
		"topic":                          onBridge(bridgeTopic),
		"clientid":                       onBridge(remoteClientID),
		"remote_clientid":                onBridge(remoteClientID),
		"username":                       onBridge(remoteUsername),
		"remote_username":                onBridge(remoteUsername),
		"password":                       onBridge(remotePassword),
		"remote_password":                onBridge(remotePassword),
		"local_clientid":                 onBridge(moot), // a bridge's session here is named after the bridge
		"local_username":                 onBridge(moot), // and needs no permission
		"local_password":                 onBridge(moot),
		"cleansession":                   onBridge(lostIf(true, "a bridge keeps its session, so that a broken connection loses nothing")),
		"local_cleansession":             onBridge(lostIf(true, "what is to go out waits while the connection is down, under the bounds of [limits]")),
		"keepalive_interval":             onBridge(keepAlive),
		"notifications":                  onBridge(notifications),
		"notifications_local_only":       onBridge(notificationsLocalOnly),
		"notification_topic":             onBridge(notificationTopic),
		"start_type":                     onBridge(startType),
		"threshold":                      moot, // told with start_type lazy
		"idle_timeout":                   moot,
		"restart_timeout":                onBridge(lost("Midge tries again after 1 s to 1 min, at random and slower each time")),
		"round_robin":                    moot, // told with several addresses
		"try_private":                    moot, // tried, and done without where it is refused
		"bridge_attempt_unsubscribe":     moot, // not done
		"bridge_bind_address":            onBridge(lost("the system chooses the address; a route does what this did")),
		"bridge_outgoing_retain":         onBridge(lostIf(false, "the retain flag goes out as it came in")),
		"bridge_max_packet_size":         onBridge(lostUnlessZero("messages go out whatever their size")),
		"bridge_protocol_version":        onBridge(bridgeProtocolVersion),
		"bridge_max_topic_alias":         moot, // MQTT 5 only
		"bridge_receive_maximum":         moot,
		"bridge_session_expiry_interval": moot,
		"bridge_reload_type":             moot,
		"bridge_tcp_keepalive":           onBridge(lost("keep_alive finds a dead connection")),
		"bridge_tcp_user_timeout":        onBridge(lost("a connection without progress ends after 30 s")),
		"bridge_cafile":                  guarding(onBridge(bridgeCAFile)),
		"bridge_capath":                  guarding(onBridge(bridgeCAPath)),
		"bridge_tls_use_os_certs":        guarding(onBridge(bridgeSystemCertificates)),
		"bridge_certfile":                guarding(onBridge(bridgeCertFile)),
		"bridge_keyfile":                 guarding(onBridge(bridgeKeyFile)),
		"bridge_identity":                onBridge(bridgePSK),
		"bridge_psk":                     onBridge(bridgePSK),
		"bridge_insecure":                onBridge(bridgeInsecure),
		"bridge_alpn":                    onBridge(lost("the connection asks for no protocol by ALPN; use the broker's MQTT port")),
		"bridge_require_ocsp":            onBridge(lostIf(true, "Go's TLS asks no OCSP server")),
		"bridge_tls_version":             onBridge(bridgeTLSVersion),
		"bridge_ciphers":                 onBridge(lost("Go's TLS chooses, of suites that are all sound")),
		"bridge_ciphers_tls1.3":          onBridge(lost("Go's TLS chooses, of suites that are all sound")),
	}
}

// moot is for options that have no meaning in Midge, or ask for what it does anyway.
func moot(*conf, *cursor, directive) {}

// lost is for options that Midge has not.
func lost(why string) handler {
	return func(c *conf, _ *cursor, d directive) { c.lose(d, why) }
}

// always is for switches that Midge has in one position only.
func always(position bool, why string) handler { return lostIf(!position, why) }

// lostIf is for switches that Midge has not; in the other position they ask for nothing.
func lostIf(on bool, why string) handler {
	return func(c *conf, _ *cursor, d directive) {
		if v, ok := c.boolean(d); ok && v == on {
			c.lose(d, why)
		}
	}
}

// lostUnlessZero is for bounds that Midge has not; 0 is none.
func lostUnlessZero(why string) handler {
	return func(c *conf, _ *cursor, d directive) {
		if n, ok := c.number(d, 0, 1<<31-1); ok && n != 0 {
			c.lose(d, why)
		}
	}
}

// onListener is for options of the listener above them.
func onListener(do handler) handler {
	return func(c *conf, at *cursor, d directive) {
		if at.listener == nil {
			c.wrong(d, "belongs to a listener, but there is no listener line above it")
			return
		}
		at.listener.options = append(at.listener.options, d)
		do(c, at, d)
	}
}

// guarding is for options that keep somebody out, or keep something secret. A listener or a bridge of which such a line is wrong must not work without what
// the line meant.
func guarding(do handler) handler {
	return func(c *conf, at *cursor, d directive) {
		before := c.faults
		do(c, at, d)
		why := d.key + " is wrong, and without it more would be open than was"
		switch {
		case c.faults == before:
		case strings.HasPrefix(d.key, "bridge_") && at.bridge != nil:
			at.bridge.useless = why
		case at.listener != nil:
			at.listener.useless = why
		}
	}
}

// onAnyListener is for options that make Mosquitto serve its default listener when there is no listener line above them.
func onAnyListener(do handler) handler {
	return func(c *conf, at *cursor, d directive) {
		if at.listener == nil {
			at.listener = c.standardListener(d)
			at.listener.served = true
		}
		onListener(do)(c, at, d)
	}
}

// onBridge is for options of the connection above them.
func onBridge(do handler) handler {
	return func(c *conf, at *cursor, d directive) {
		if at.bridge == nil {
			c.wrong(d, "belongs to a bridge, but there is no connection line above it")
			return
		}
		do(c, at, d)
	}
}
