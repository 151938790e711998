package gateway

// predefined answers for predefined topic ids both ways.
type predefined struct {
	names map[predefinedID]string
	ids   map[predefinedName]uint16
}

type predefinedID struct {
	client, link string
	id           uint16
}

type predefinedName struct{ client, link, topic string }

func newPredefined(list []Predefined) predefined {
	p := predefined{map[predefinedID]string{}, map[predefinedName]uint16{}}
	for _, e := range list {
		p.names[predefinedID{e.Client, e.Link, e.ID}] = e.Topic
		p.ids[predefinedName{e.Client, e.Link, e.Topic}] = e.ID
	}
	return p
}

// name is the topic that an id stands for when this client uses it on that link.
func (p predefined) name(client, link string, id uint16) (string, bool) {
	for _, scope := range scopes(client, link) {
		if name, ok := p.names[predefinedID{scope.client, scope.link, id}]; ok {
			return name, true
		}
	}
	return "", false
}

// id finds an id by which this client knows the topic on that link. One of a wider scope does not count where a narrower one has given the same id
// another meaning.
func (p predefined) id(client, link, topic string) (uint16, bool) {
	for _, scope := range scopes(client, link) {
		if id, ok := p.ids[predefinedName{scope.client, scope.link, topic}]; ok {
			if means, _ := p.name(client, link, id); means == topic {
				return id, true
			}
		}
	}
	return 0, false
}

type scope struct{ client, link string }

// scopes are the places where an entry may stand, the narrowest first.
func scopes(client, link string) [4]scope {
	return [4]scope{{client, link}, {client, ""}, {"*", link}, {"*", ""}}
}

// SetPredefined replaces the predefined topics on all links. Subscriptions that were made by an id stay on the name that it had; a device that uses an id
// which means nothing any more is told so.
func (g *Gateway) SetPredefined(list []Predefined) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sp.predefined = newPredefined(list)
}
