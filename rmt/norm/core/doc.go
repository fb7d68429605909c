// Package core holds the NORM state machines (RFC 5740): a [Sender] and a
// [Receiver], each an engine that is handed the time and datagrams and gives back
// datagrams, deadlines and events. It has no socket, file, clock or goroutine;
// package norm drives it in real time, and the simulations drive it by the
// thousand in virtual time.
//
// The rooms: sender.go decides what is sent next; sender_object.go is one object
// on its way out, sender_stream.go one that is a stream, sender_again.go an object sent once
// more, sender_repair.go what receivers asked of it; sender_nack.go
// takes their NACKs in and sender_adv.go passes them on, sender_flush.go asks for
// them and for ACKs, sender_grtt.go measures the group; sender_command.go and
// sender_question.go send the application's commands and questions. receiver.go tells senders apart;
// remote.go is one sender as heard here, object.go one of its objects, receiver_stream*.go
// one that is a stream and block.go one coding block; nack.go and ack.go answer it,
// receiver_command.go and receiver_answer.go tell of commands and questions.
// layout.go says, for both, how an object is cut into blocks.
package core
