package natsd

import "github.com/nats-io/nats-server/v2/server"

// apiPrefix is where callers find the JetStream subjects that are theirs. Under
// $JS.API itself the server answers for the callers' account, which has no
// JetStream.
const apiPrefix = "LED.API"

// imports is all that passes from the callers' account into the ledger's, and
// back as an answer. Making, changing and deleting consumers and streams isn't
// here, and STREAM.INFO isn't either.
var imports = []struct {
	from, to string
	answers  server.ServiceRespType
	share    bool // the door learns which key asks
}{
	{"assent.cmd.*", "assent.cmd.*", server.Singleton, true},
	{"assent.ask.*", "assent.ask.*", server.Singleton, true},
	{apiPrefix + ".CONSUMER.INFO.LEDGER.*", "$JS.API.CONSUMER.INFO.LEDGER.*", server.Singleton, false},
	{apiPrefix + ".CONSUMER.MSG.NEXT.LEDGER.*", "$JS.API.CONSUMER.MSG.NEXT.LEDGER.*", server.Streamed, false},
	{"$JS.ACK.LEDGER.>", "$JS.ACK.LEDGER.>", server.Singleton, false},
}

// accounts makes the two accounts and the ways between them.
func accounts(ns *server.Server) (ledger, callers *server.Account, err error) {
	if ledger, err = ns.RegisterAccount("LEDGER"); err != nil {
		return nil, nil, err
	}
	if callers, err = ns.RegisterAccount("CALLERS"); err != nil {
		return nil, nil, err
	}
	for _, i := range imports {
		if err = ledger.AddServiceExportWithResponse(i.to, i.answers, []*server.Account{callers}); err != nil {
			return nil, nil, err
		}
		if err = callers.AddServiceImport(ledger, i.from, i.to); err != nil {
			return nil, nil, err
		}
		if !i.share {
			continue
		}
		if err = callers.SetServiceImportSharing(ledger, i.to, true); err != nil {
			return nil, nil, err
		}
	}
	return ledger, callers, nil
}
