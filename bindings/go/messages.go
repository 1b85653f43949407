package rtcmsg

// #include "shim.h"
import "C"

import (
	"reflect"
	"unsafe"
)

// A Message is one of the nine kinds that have a type here: [Unicast], [RoomUnicast], [BatchRoomUnicast], [Broadcast],
// [P2PMessageToUsers], [P2PMessageToAll], [P2PMessageToAllExcept], [CustomCommandToUsers], [CustomCommandToRoom]. Any
// other action of the vendors goes through [Client.Call].
//
// Ids of Volcengine RTC take 1 to 128 letters, digits, _ @ - and . ; ZEGO's any text without NUL of up to
// zego.max_id_length bytes; IM ids are numbers from 1 on. Text is UTF-8. KB is 1,024 bytes.
type Message interface {
	fields() fields
}

// Unicast is for one user of Volcengine RTC who is logged in, outside rooms.
type Unicast struct {
	From   string // the sender that the receiver sees; not the id of a real user
	To     string
	Text   string // up to 64 KB
	Binary []byte // in place of Text: bytes, up to 64 KB, which reach the binary callback
}

// RoomUnicast is for one user in a room of Volcengine RTC.
type RoomUnicast struct {
	RoomID string
	From   string // the sender that the receiver sees; not the id of a real user
	To     string
	Text   string // up to 64 KB
	Binary []byte // in place of Text: bytes, up to 64 KB, which reach the binary callback
}

// BatchRoomUnicast is for users in a room of Volcengine RTC: 600 a request, a longer list goes out in several.
type BatchRoomUnicast struct {
	RoomID string
	From   string   // the sender that receivers see; not the id of a real user
	To     []string // each once, never empty
	Text   string   // up to 20 KB
	Binary []byte   // in place of Text: bytes, up to 20 KB, which reach the binary callback
}

// Broadcast is for everybody in a room of Volcengine RTC.
type Broadcast struct {
	RoomID string
	From   string // the sender that receivers see; not the id of a real user
	Text   string // up to 64 KB
	Binary []byte // in place of Text: bytes, up to 64 KB, which reach the binary callback
}

// P2PMessageToUsers is for some members of a conversation of Volcengine IM.
type P2PMessageToUsers struct {
	ConversationID int64
	SenderID       int64   // a member of the conversation
	MsgType        int32   // agreed between the app's server and its clients, 1 or more
	UserIDs        []int64 // each once, never empty
	Text           string  // up to volcengine.p2p_max_content
}

// P2PMessageToAll is for every member of a conversation of Volcengine IM.
type P2PMessageToAll struct {
	ConversationID int64
	SenderID       int64  // a member of the conversation
	MsgType        int32  // agreed between the app's server and its clients, 1 or more
	Text           string // up to volcengine.p2p_max_content
}

// P2PMessageToAllExcept is for every member of a conversation of Volcengine IM but those in UserIDs.
type P2PMessageToAllExcept struct {
	ConversationID int64
	SenderID       int64   // a member of the conversation
	MsgType        int32   // agreed between the app's server and its clients, 1 or more
	UserIDs        []int64 // to leave out; each once, never empty, up to volcengine.p2p_max_users
	Text           string  // up to volcengine.p2p_max_content
}

// CustomCommandToUsers is for users in a room of ZEGO: 10 a request, a longer list goes out in several.
type CustomCommandToUsers struct {
	RoomID string
	From   string   // the sender that receivers see
	To     []string // each once, never empty, not From
	Text   string   // up to 1,024 bytes
}

// CustomCommandToRoom is for everybody in a room of ZEGO but a client whose id is From.
type CustomCommandToRoom struct {
	RoomID string
	From   string // the sender that receivers see
	Text   string // up to 1,024 bytes
}

// fields is a message of any kind, as rtcmsg_message holds it.
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

// flat is a message as the shims take it: pointers to Go memory that holds no pointers, and lengths.
type flat struct {
	fields
	flags      C.uint32_t
	toText     []byte
	toLens     []C.size_t
	payload    *C.char
	payloadLen C.size_t
}

// flatten fails for nil, and for a message that gives both kinds of payload.
func flatten(message Message) (flat, error) {
	if message == nil || (reflect.ValueOf(message).Kind() == reflect.Pointer && reflect.ValueOf(message).IsNil()) {
		return flat{}, invalid("message", "is NULL")
	}
	m := flat{fields: message.fields()}
	if m.text != "" && m.binary != nil {
		return flat{}, invalid("payload", "Text and Binary are given; a message has one of them")
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

// chars is the start of a text for C, which has its length from elsewhere.
func chars(text string) *C.char {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text)))
}
