// A third-party SMSC: takes every bind and every submit_sm, answers with an id and returns a receipt where
// one was asked for, and refuses all else. Prints "listening" and a "taken TO TEXT" line each.
'use strict';
const smpp = require('smpp');

smpp.PDU.maxLength = 1 << 20;
let next = 0;
const server = smpp.createServer((session) => {
  session.on('error', (e) => console.error(`session: ${e}`));
  for (const bind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(bind, (pdu) => session.send(pdu.response({ system_id: 'npm' })));
  }
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
  for (const none of ['data_sm', 'submit_multi', 'query_sm', 'cancel_sm', 'replace_sm', 'deliver_sm', 'broadcast_sm']) {
    session.on(none, (pdu) => session.send(pdu.response({ command_status: smpp.ESME_RINVCMDID })));
  }
  session.on('submit_sm', (pdu) => {
    const id = `npm-${++next}`;
    if (!pdu.short_message) { // the library could not read the body
      session.send(pdu.response({ command_status: smpp.ESME_RINVMSGLEN }));
      return;
    }
    const text = pdu.short_message.message || (pdu.message_payload || pdu.short_message).message;
    console.log('taken', pdu.destination_addr, text);
    session.send(pdu.response({ message_id: id }));
    if (!(pdu.registered_delivery & 1)) return;
    session.deliver_sm({
      source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr,
      destination_addr: pdu.source_addr, esm_class: 4, receipted_message_id: id, message_state: 2,
      short_message: `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:`,
    });
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
