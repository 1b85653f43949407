package rtcmsg

// #include "shim.h"
import "C"

import (
	"reflect"
	"unsafe"
)

// A Message is one of the nine types of message: [Unicast], [RoomUnicast], [BatchRoomUnicast], [Broadcast],
// [P2PMessageToUsers], [P2PMessageToAll], [P2PMessageToAllExcept], [CustomCommandToUsers], [CustomCommandToRoom].
// [Client.CallAction] sends any other action of the vendors.
//
// Ids of Volcengine RTC have 1 to 128 characters: letters, digits, _ @ - and . ; ids of ZEGO are any text without NUL of up
// to zego.max_id_length bytes; ids of Volcengine IM are numbers from 1. Text is UTF-8. KB is 1,024 bytes.
type Message interface {
	fields() fields
}

// Unicast is a message to one user of Volcengine RTC who is logged in, outside rooms.
type Unicast struct {
	From   string // the sender that the receiver sees; must not be the id of a real user
	To     string
	Text   string // up to 64 KB
	Binary []byte // instead of Text: up to 64 KB of bytes, which arrive at the binary callback
}

// RoomUnicast is a message to one user in a room of Volcengine RTC.
type RoomUnicast struct {
	RoomID string
	From   string // the sender that the receiver sees; must not be the id of a real user
	To     string
	Text   string // up to 64 KB
	Binary []byte // instead of Text: up to 64 KB of bytes, which arrive at the binary callback
}

// BatchRoomUnicast is a message to users in a room of Volcengine RTC, 600 per request: a longer list is split.
type BatchRoomUnicast struct {
	RoomID string
	From   string   // the sender that receivers see; must not be the id of a real user
	To     []string // each user once; must not be empty
	Text   string   // up to 20 KB
	Binary []byte   // instead of Text: up to 20 KB of bytes, which arrive at the binary callback
}

// Broadcast is a message to all users in a room of Volcengine RTC.
type Broadcast struct {
	RoomID string
	From   string // the sender that receivers see; must not be the id of a real user
	Text   string // up to 64 KB
	Binary []byte // instead of Text: up to 64 KB of bytes, which arrive at the binary callback
}

// P2PMessageToUsers is a message to some members of a conversation of Volcengine IM, volcengine.p2p_max_users per request: a
// longer list is split.
type P2PMessageToUsers struct {
	ConversationID int64
	SenderID       int64   // a member of the conversation
	MsgType        int32   // the type that the app's server and clients agreed on, 1 or more
	UserIDs        []int64 // each user once; must not be empty
	Text           string  // up to volcengine.p2p_max_content bytes
}

// P2PMessageToAll is a message to every member of a conversation of Volcengine IM.
type P2PMessageToAll struct {
	ConversationID int64
	SenderID       int64  // a member of the conversation
	MsgType        int32  // the type that the app's server and clients agreed on, 1 or more
	Text           string // up to volcengine.p2p_max_content bytes
}

// P2PMessageToAllExcept is a message to every member of a conversation of Volcengine IM except those in UserIDs.
type P2PMessageToAllExcept struct {
	ConversationID int64
	SenderID       int64   // a member of the conversation
	MsgType        int32   // the type that the app's server and clients agreed on, 1 or more
	UserIDs        []int64 // the members to leave out, 1 to volcengine.p2p_max_users, each once
	Text           string  // up to volcengine.p2p_max_content bytes
}

// CustomCommandToUsers is a message to users in a room of ZEGO, 10 per request: a longer list is split.
type CustomCommandToUsers struct {
	RoomID string
	From   string   // the sender that receivers see
	To     []string // each user once; must not be empty and must not contain From
	Text   string   // up to 1,024 bytes
}

// CustomCommandToRoom is a message to all users in a room of ZEGO, except a client whose id is From.
type CustomCommandToRoom struct {
	RoomID string
	From   string // the sender that receivers see
	Text   string // up to 1,024 bytes
}

// fields is a message of any type, with the fields of rtcmsg_message.
type fields struct {
	action         C.uint32_t
	roomID, from   string
	to             []string
	conversationID int64
	senderID       int64
	userIDs        []int64
	msgType        int32
	text           string
	binary         []byte
}

func (m Unicast) fields() fields {
	return fields{action: C.RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST,
		from: m.From, to: []string{m.To}, text: m.Text, binary: m.Binary}
}

func (m RoomUnicast) fields() fields {
	return fields{action: C.RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST,
		roomID: m.RoomID, from: m.From, to: []string{m.To}, text: m.Text, binary: m.Binary}
}

func (m BatchRoomUnicast) fields() fields {
	return fields{action: C.RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST,
		roomID: m.RoomID, from: m.From, to: m.To, text: m.Text, binary: m.Binary}
}

func (m Broadcast) fields() fields {
	return fields{action: C.RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST,
		roomID: m.RoomID, from: m.From, text: m.Text, binary: m.Binary}
}

func (m P2PMessageToUsers) fields() fields {
	return fields{action: C.RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS, conversationID: m.ConversationID,
		senderID: m.SenderID, msgType: m.MsgType, userIDs: m.UserIDs, text: m.Text}
}

func (m P2PMessageToAll) fields() fields {
	return fields{action: C.RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL, conversationID: m.ConversationID,
		senderID: m.SenderID, msgType: m.MsgType, text: m.Text}
}

func (m P2PMessageToAllExcept) fields() fields {
	return fields{action: C.RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT, conversationID: m.ConversationID,
		senderID: m.SenderID, msgType: m.MsgType, userIDs: m.UserIDs, text: m.Text}
}

func (m CustomCommandToUsers) fields() fields {
	return fields{action: C.RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS,
		roomID: m.RoomID, from: m.From, to: m.To, text: m.Text}
}

func (m CustomCommandToRoom) fields() fields {
	return fields{action: C.RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM, roomID: m.RoomID, from: m.From, text: m.Text}
}

// flat is a message as the shim accepts it: lengths, and pointers to Go memory that contains no pointers.
type flat struct {
	fields
	flags      C.uint32_t
	toText     []byte
	toLens     []C.size_t
	payload    *C.char
	payloadLen C.size_t
}

// flatten fails for nil, and for a message with both a text and bytes.
func flatten(message Message) (flat, error) {
	if message == nil || (reflect.ValueOf(message).Kind() == reflect.Pointer && reflect.ValueOf(message).IsNil()) {
		return flat{}, invalid("message", "must not be nil")
	}
	m := flat{fields: message.fields()}
	if m.text != "" && m.binary != nil {
		return flat{}, invalid("payload", "must be either Text or Binary, not both")
	}
	m.payload, m.payloadLen = chars(m.text), C.size_t(len(m.text))
	if m.binary != nil {
		m.flags = C.RTCMSG_MESSAGE_BINARY
		m.payload, m.payloadLen = (*C.char)(unsafe.Pointer(unsafe.SliceData(m.binary))), C.size_t(len(m.binary))
	}
	total := 0
	for _, user := range m.to {
		total += len(user)
	}
	m.toText = make([]byte, 0, total)
	m.toLens = make([]C.size_t, len(m.to))
	for i, user := range m.to {
		m.toText = append(m.toText, user...)
		m.toLens[i] = C.size_t(len(user))
	}
	return m, nil
}

// chars returns a pointer to the bytes of a text, without a NUL at the end: its length is passed separately.
func chars(text string) *C.char {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text)))
}
