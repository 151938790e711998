package importer

import (
	"fmt"
	"strings"
)

// isEMQX wants HOCON, of which JSON is a part, that holds gateway.mqttsn, or a file of EMQX 4's emqx_sn plugin.
func isEMQX(_ string, data []byte) bool {
	if !strings.Contains(string(data), "mqttsn") && !strings.Contains(string(data), "mqtt.sn.") {
		return false
	}
	root, err := parseHOCON(data)
	return err == nil && len(emqxGateways(root))+len(root.at("mqtt", "sn")) > 0
}

// emqxGateways finds gateway.mqttsn, on its own too: as EMQX 5 exports it, or as its API answers.
func emqxGateways(root hoconValue) []hoconValue {
	found := append(root.at("gateway", "mqttsn"), root.at("mqttsn")...)
	if name := root.at("name"); len(name) == 1 && name[0].text == "mqttsn" {
		found = append(found, root)
	}
	return found
}

// readEMQX imports gateway.mqttsn.predefined of EMQX 5, and mqtt.sn.predefined.topic.N of EMQX 4.
func readEMQX(j *job, path string, data []byte) *document {
	root, _ := parseHOCON(data)
	var list []predefined
	for _, g := range emqxGateways(root) {
		for _, p := range g.at("predefined") {
			list = append(list, emqxList(j, path, p)...)
		}
		for _, m := range g.at("mountpoint") {
			if m.text != "" {
				pattern := strings.NewReplacer("${clientid}", "%c", "${username}", "%u").Replace(m.text)
				j.leave(Left{File: path, Line: m.line, Option: "mountpoint", Why: fmt.Sprintf("write mount_point = %q beside the [[link]]", pattern), at: m.line})
			}
		}
	}
	for _, topics := range root.at("mqtt", "sn", "predefined", "topic") {
		for _, f := range topics.fields {
			if f.key != "0" { // reserved, as the file that EMQX shipped says
				list = append(list, predefined{f.value.line, "*", f.key, f.value.text})
			}
		}
	}
	return j.predefinedDocument(path, list, false)
}

// emqxList reads [{id = 1, topic = "a"}, …].
func emqxList(j *job, path string, v hoconValue) (list []predefined) {
	elements := v.list
	for _, f := range v.fields { // predefined.1 = {…}
		elements = append(elements, f.value)
	}
	for _, e := range elements {
		id, topic := e.at("id"), e.at("topic")
		if len(id) == 0 || len(topic) == 0 {
			j.leave(Left{File: path, Line: e.line, Option: "predefined", Why: "an element without id or topic", at: e.line})
			continue
		}
		list = append(list, predefined{e.line, "*", id[len(id)-1].text, topic[len(topic)-1].text})
	}
	return list
}
