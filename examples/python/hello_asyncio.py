"""Sends to a hundred users at once from asyncio, without a thread for each."""

import asyncio

import rtcmsg


async def main() -> None:
    async with rtcmsg.AsyncClient.from_env() as client:
        sends = [
            client.send_unicast(from_="server", to=f"user{number}", payload="dinner is ready") for number in range(100)
        ]
        for result in await asyncio.gather(*sends, return_exceptions=True):
            print(result.delivery.name if isinstance(result, rtcmsg.Report) else repr(result))


asyncio.run(main())
