package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// AddConsumer makes the durable consumer of a subscriber (contract, section 7),
// named as the actor: pulled, each message acknowledged, the whole log from its
// start. One that is there keeps its place.
func (l *Log) AddConsumer(ctx context.Context, actor string) error {
	_, err := l.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:       actor,
		AckPolicy:     jetstream.AckExplicitPolicy,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		FilterSubject: Root + ">",
	})
	if err != nil {
		return fmt.Errorf("eventstore: make the consumer of %s: %w", actor, err)
	}
	return nil
}

// DropConsumer deletes the durable consumer of a subscriber. That there is none is
// no error.
func (l *Log) DropConsumer(ctx context.Context, actor string) error {
	err := l.stream.DeleteConsumer(ctx, actor)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("eventstore: drop the consumer of %s: %w", actor, err)
	}
	return nil
}
