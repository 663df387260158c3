/* SPDX-License-Identifier: Apache-2.0
 * An auction: sealed bids, then their opening, then each bid is settled by a transaction of its own (spec/auction.md). */
#include "chain/auction/auction_int.h"
#include "chain/econ/econ_int.h"

static err find(const exec *x, const hash256 *id, const chain_row_auction **out, const char *what, fault *f)
{
    chain_key key = chain_key_job(id);
    *out = chain_row_get(x->c, CHAIN_TABLE_AUCTION, &key);
    return *out ? OK : fail(f, ERR_NOT_FOUND, what, 0);
}

static chain_row_auction *edit(chain *c, const hash256 *id)
{
    chain_key key = chain_key_job(id);
    return chain_row_edit(c, CHAIN_TABLE_AUCTION, &key);
}

/* --- open --- */

err chain_exec_auction_open(exec *x, const chain_tx_auction_open *p, fault *f)
{
    chain *c = x->c;
    if (p->kind == 0)
        return fail(f, ERR_RANGE, "auction_open.kind", p->kind);
    if (p->units == 0 || (p->kind == CHAIN_AUCTION_SECOND_PRICE && p->units != 1))
        return fail(f, ERR_RANGE, "auction_open.units", p->units);
    uint64_t epoch = param(c, CHAIN_PARAM_EPOCH), commit, reveal, deposit = param(c, CHAIN_PARAM_AUCTION_OPEN_DEPOSIT);
    chain_row_auction row = { .owner = x->sender, .kind = p->kind, .item = p->item, .units = p->units, .reserve = p->reserve, .deposit = deposit };
    TRY(checked_mul_u64(&commit, epoch, param(c, CHAIN_PARAM_AUCTION_COMMIT)));
    TRY(checked_mul_u64(&reveal, epoch, param(c, CHAIN_PARAM_AUCTION_REVEAL)));
    TRY(checked_add_u64(&row.commit_last, x->height, commit));
    TRY(checked_add_u64(&row.reveal_last, row.commit_last, reveal));
    if (chain_account_debit(c, &x->sender, deposit) != OK)
        return fail(f, ERR_FUNDS, "auction.open_deposit", deposit);
    TRY(chain_purse_add(c, PURSE_STAKES, deposit));
    chain_key key = chain_key_job(&x->tx_id);
    *(chain_row_auction *)chain_row_create(c, CHAIN_TABLE_AUCTION, &key) = row;
    chain_event_add(c, CHAIN_EVENT_AUCTION_OPENED, x->tx_index)->data.auction_opened =
        (chain_event_auction_opened){ .auction = x->tx_id, .owner = x->sender, .commit_last = row.commit_last, .reveal_last = row.reveal_last };
    return OK;
}

/* --- commit --- */

static uint64_t deposit_of(const chain *c, uint8_t bid_class)
{
    static const chain_param by_class[] = { CHAIN_PARAM_AUCTION_DEPOSIT_1, CHAIN_PARAM_AUCTION_DEPOSIT_2, CHAIN_PARAM_AUCTION_DEPOSIT_3,
                                            CHAIN_PARAM_AUCTION_DEPOSIT_4 };
    return param(c, by_class[bid_class - 1]);
}

err chain_exec_auction_commit(exec *x, const chain_tx_auction_commit *p, fault *f)
{
    chain *c = x->c;
    const chain_row_auction *a;
    TRY(find(x, &p->auction, &a, "auction_commit.auction", f));
    if (x->height > a->commit_last)
        return fail(f, ERR_EXPIRED, "auction.commit_last", a->commit_last);
    if (p->bid_class == 0)
        return fail(f, ERR_RANGE, "auction_commit.bid_class", 0);
    if (cr_address_equal(&a->owner, &x->sender))
        return fail(f, ERR_PERMISSION, "auction.owner", 0);
    chain_key key = chain_key_bid(&p->auction, &x->sender);
    if (chain_row_get(c, CHAIN_TABLE_COMMIT, &key))
        return fail(f, ERR_DUPLICATE, "auction_commit.auction", 0);
    if (a->commits >= LIMIT_AUCTION_BIDS)
        return fail(f, ERR_LIMIT, "auction.commits", a->commits);
    uint64_t deposit = deposit_of(c, p->bid_class);
    if (chain_account_debit(c, &x->sender, deposit) != OK)
        return fail(f, ERR_FUNDS, "auction_commit.bid_class", deposit);
    TRY(chain_purse_add(c, PURSE_STAKES, deposit));
    *(chain_row_commit *)chain_row_create(c, CHAIN_TABLE_COMMIT, &key) =
        (chain_row_commit){ .commitment = p->commitment, .status = CHAIN_COMMIT_SEALED, .deposit = deposit, .locked = deposit };
    chain_key at = chain_key_numbered(&p->auction, edit(c, &p->auction)->commits++);
    ((chain_row_commit_at *)chain_row_create(c, CHAIN_TABLE_COMMIT_AT, &at))->bidder = x->sender;
    chain_event_add(c, CHAIN_EVENT_BID_COMMITTED, x->tx_index)->data.bid_committed =
        (chain_event_bid_committed){ .auction = p->auction, .bidder = x->sender, .deposit = deposit };
    return OK;
}

/* --- reveal --- */

static err check_bid(const exec *x, const chain_tx_auction_reveal *p, const chain_row_auction *a, const chain_row_commit *bid, uint64_t *total,
                     fault *f)
{
    hash256 sealed = chain_auction_commitment(&x->c->network, &p->auction, &x->sender,
                                              &(chain_sealed_bid){ .price = p->price, .units = p->units, .salt = p->salt });
    if (!hash256_equal(&sealed, &bid->commitment))
        return fail(f, ERR_HASH, "commit.commitment", 0);
    if (p->units == 0 || p->units > a->units)
        return fail(f, ERR_RANGE, "auction_reveal.units", p->units);
    u128 value = (u128)p->price * p->units;
    if (value > CHAIN_AMOUNT_MAX)
        return fail(f, ERR_RANGE, "auction_reveal.price", p->price);
    if (value > (u128)bid->deposit * param(x->c, CHAIN_PARAM_AUCTION_COVER))
        return fail(f, ERR_BOND, "commit.deposit", bid->deposit);
    *total = (uint64_t)value;
    return OK;
}

err chain_exec_auction_reveal(exec *x, const chain_tx_auction_reveal *p, fault *f)
{
    chain *c = x->c;
    const chain_row_auction *a;
    TRY(find(x, &p->auction, &a, "auction_reveal.auction", f));
    if (x->height <= a->commit_last)
        return fail(f, ERR_BUSY, "auction.commit_last", a->commit_last);
    if (x->height > a->reveal_last)
        return fail(f, ERR_EXPIRED, "auction.reveal_last", a->reveal_last);
    chain_key key = chain_key_bid(&p->auction, &x->sender);
    const chain_row_commit *now = chain_row_get(c, CHAIN_TABLE_COMMIT, &key);
    if (!now)
        return fail(f, ERR_NOT_FOUND, "auction_reveal.sender", 0);
    if (now->status != CHAIN_COMMIT_SEALED)
        return fail(f, ERR_DUPLICATE, "commit.status", now->status);
    uint64_t total;
    TRY(check_bid(x, p, a, now, &total, f));
    uint64_t more = total > now->locked ? total - now->locked : 0;
    if (chain_account_debit(c, &x->sender, more) != OK)
        return fail(f, ERR_FUNDS, "auction_reveal.price", more);
    TRY(chain_purse_add(c, PURSE_STAKES, more));
    chain_row_commit *bid = chain_row_edit(c, CHAIN_TABLE_COMMIT, &key);
    bid->status = CHAIN_COMMIT_REVEALED;
    bid->price = p->price;
    bid->units = p->units;
    bid->locked += more;
    chain_event_add(c, CHAIN_EVENT_BID_REVEALED, x->tx_index)->data.bid_revealed =
        (chain_event_bid_revealed){ .auction = p->auction, .bidder = x->sender, .price = p->price, .units = p->units };
    return OK;
}

/* --- settle --- */

static size_t collect(const chain *c, const hash256 *id, const chain_row_auction *a, chain_order *o)
{
    size_t n = 0;
    for (uint32_t i = 0; i < a->commits; i++) {
        chain_key at = chain_key_numbered(id, i);
        const chain_row_commit_at *who = chain_row_get(c, CHAIN_TABLE_COMMIT_AT, &at);
        CHECK(who);
        chain_key key = chain_key_bid(id, &who->bidder);
        const chain_row_commit *bid = chain_row_get(c, CHAIN_TABLE_COMMIT, &key);
        CHECK(bid);
        if ((bid->status == CHAIN_COMMIT_REVEALED || bid->status == CHAIN_COMMIT_SETTLED) && bid->price >= a->reserve)
            o[n++] = (chain_order){ .tie = chain_order_tie(&bid->commitment), .price = bid->price, .units = bid->units };
    }
    return n;
}

/* The set of opened bids stands: whoever settles first writes the price, and each settlement finds the same again. */
static chain_clearing clear(exec *x, const hash256 *id, chain_order *o, size_t *n)
{
    chain_row_auction *a = edit(x->c, id);
    *n = collect(x->c, id, a, o);
    chain_clearing result = chain_orders_clear(o, *n, a->units, a->reserve);
    if (!a->cleared) {
        a->cleared = 1;
        a->price = result.price;
        a->sold = result.sold;
        chain_event_add(x->c, CHAIN_EVENT_AUCTION_CLEARED, x->tx_index)->data.auction_cleared =
            (chain_event_auction_cleared){ .auction = *id, .price = result.price, .sold = result.sold };
    }
    return result;
}

static err return_deposit(exec *x, const hash256 *id, fault *f)
{
    chain_row_auction *a = edit(x->c, id);
    if (a->deposit == 0)
        return fail(f, ERR_DUPLICATE, "auction.deposit", 0);
    uint64_t amount = a->deposit;
    a->deposit = 0;
    TRY(chain_purse_take(x->c, PURSE_STAKES, amount));
    return chain_account_credit(x->c, &a->owner, amount);
}

static err forfeit(chain *c, uint64_t deposit, uint64_t *forfeited)
{
    uint64_t burn;
    TRY(mul_div_u64(forfeited, deposit, param(c, CHAIN_PARAM_AUCTION_FORFEIT), PPM, ROUND_DOWN));
    TRY(mul_div_u64(&burn, *forfeited, param(c, CHAIN_PARAM_AUCTION_FORFEIT_BURN), PPM, ROUND_DOWN));
    TRY(chain_supply_burn(c, burn));
    return chain_treasury_income(c, *forfeited - burn);
}

/* From what the bid holds to the owner, less the tariff. The bids keep their purse until here. */
static err pay_owner(exec *x, const cr_address *owner, const cr_address *bidder, uint64_t paid)
{
    chain *c = x->c;
    uint64_t tariff = 0;
    if (paid == 0)
        return OK;
    bool open = !chain_kyc_valid_at(c, owner, x->height) || !chain_kyc_valid_at(c, bidder, x->height);
    if (open)
        TRY(chain_tariff_of(c, &tariff, paid));
    TRY(chain_account_credit(c, owner, paid - tariff));
    chain_meter_volume(c, paid, open);
    return chain_tariff_collect(c, owner, tariff, x->tx_index);
}

static err settle_bid(exec *x, const chain_tx_auction_settle *p, const cr_address *owner, fault *f)
{
    chain *c = x->c;
    chain_order o[LIMIT_AUCTION_BIDS_N];
    size_t n;
    chain_key key = chain_key_bid(&p->auction, &p->bidder);
    const chain_row_commit *now = chain_row_get(c, CHAIN_TABLE_COMMIT, &key);
    if (!now)
        return fail(f, ERR_NOT_FOUND, "auction_settle.bidder", 0);
    if (now->locked == 0)
        return fail(f, ERR_DUPLICATE, "commit.status", now->status);
    chain_clearing clearing = clear(x, &p->auction, o, &n);
    chain_row_commit *bid = chain_row_edit(c, CHAIN_TABLE_COMMIT, &key);
    hash256 tie = chain_order_tie(&bid->commitment);
    uint64_t locked = bid->locked, paid = 0, forfeited = 0;
    for (size_t i = 0; i < n && bid->status == CHAIN_COMMIT_REVEALED; i++)
        if (hash256_equal(&o[i].tie, &tie))
            bid->won = o[i].won;
    TRY(checked_mul_u64(&paid, clearing.price, bid->won));
    TRY(chain_purse_take(c, PURSE_STAKES, locked));
    if (bid->status == CHAIN_COMMIT_SEALED)
        TRY(forfeit(c, bid->deposit, &forfeited));
    uint64_t returned;
    TRY(checked_sub_u64(&returned, locked, paid));
    TRY(checked_sub_u64(&returned, returned, forfeited));
    bid->status = bid->status == CHAIN_COMMIT_SEALED ? CHAIN_COMMIT_FORFEITED : CHAIN_COMMIT_SETTLED;
    bid->locked = 0;
    chain_event_add(c, CHAIN_EVENT_BID_SETTLED, x->tx_index)->data.bid_settled = (chain_event_bid_settled){
        .auction = p->auction, .bidder = p->bidder, .units = bid->won, .paid = paid, .forfeited = forfeited, .returned = returned };
    TRY(chain_account_credit(c, &p->bidder, returned));
    return pay_owner(x, owner, &p->bidder, paid);
}

err chain_exec_auction_settle(exec *x, const chain_tx_auction_settle *p, fault *f)
{
    const chain_row_auction *a;
    TRY(find(x, &p->auction, &a, "auction_settle.auction", f));
    if (x->height <= a->reveal_last)
        return fail(f, ERR_BUSY, "auction.reveal_last", a->reveal_last);
    if (!cr_address_equal(&p->bidder, &a->owner))
        return settle_bid(x, p, &a->owner, f);
    chain_order o[LIMIT_AUCTION_BIDS_N];
    size_t n;
    (void)clear(x, &p->auction, o, &n);
    return return_deposit(x, &p->auction, f);
}
