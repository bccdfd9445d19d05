"""The names that columns and kinds of events usually have, in several trades."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def _words(text: str) -> list[str]:
    return text.split()


USER = _words(
    "user_id user uid customer_id customer visitor_id visitor member_id member account_id "
    "account reviewer_id reader_id listener_id viewer_id client_id buyer_id person_id "
    "profile_id device_id author_id user_key user_hash"
)
ITEM = _words(
    "item_id item iid product_id product sku asin parent_asin isbn movie_id movie article_id "
    "article song_id track_id track video_id listing_id offer_id ad_id book_id content_id doc_id "
    "document_id post_id news_id business_id recipe_id game_id app_id job_id course_id place_id "
    "poi_id venue_id show_id episode_id artist_id item_key"
)
TIME = _words(
    "timestamp time event_time event_timestamp ts datetime date_time created_at occurred_at "
    "event_date date unix_review_time review_time rated_at viewed_at at t when created time_stamp"
)
KIND = _words(
    "event event_type event_name kind type action action_type behavior behaviour behavior_type "
    "interaction interaction_type activity feedback verb"
)
POSITION = _words("position pos rank slot display_position list_position")
REQUEST = _words(
    "request_id request impression_id slate_id list_id search_id query_id recommendation_id"
)
RATING = _words("rating stars score overall rate grade")
ORDER = _words("position order sequence seq step index rank")

ID = _words("id")
TEXT = _words(
    "title name product_name item_name product_title headline subject description desc summary "
    "plot overview abstract synopsis text body content details about caption tagline subtitle"
)
TITLE = _words("title name product_name item_name product_title headline subject caption")
CATEGORY = _words(
    "category categories main_category category_name genre genres product_type item_type "
    "department topic topics section type kind class classification cuisine tag tags brand"
)
KEYWORD = [
    *CATEGORY,
    *_words(
        "language languages lang country city region place district brand manufacturer maker color "
        "colour size gender currency status condition publisher studio label seller"
    ),
]
PRICE = _words(
    "price sale_price list_price unit_price current_price price_usd price_krw price_jpy price_eur "
    "cost amount fare rent msrp"
)
AVAILABLE = _words(
    "available is_available in_stock active is_active enabled is_enabled visible is_visible "
    "published is_published"
)
EXPIRES = _words(
    "expires expires_at expiry expiry_date expiration expiration_date valid_until valid_to "
    "available_until end_date end_time ends_at deadline closes_at"
)

IMPRESSIONS = _words(
    "impression impressions imp shown show showed exposure exposed display displayed"
)
# What a kind of event usually says about taste, from a glance to a purchase.
WEIGHTS: dict[str, float] = {
    **dict.fromkeys(
        _words(
            "view page_view pageview pv click open detail detail_view product_view item_view visit "
            "play watch listen stream read event hover expand"
        ),
        1,
    ),
    **dict.fromkeys(_words("rating rate rated review comment download"), 2),
    **dict.fromkeys(
        _words(
            "like fav favorite favourite save bookmark wish wishlist add_to_wishlist heart follow "
            "thumbs_up upvote share repost collect cart add_to_cart addtocart basket add_to_basket "
            "add_to_favorites add_to_favourites complete finish"
        ),
        3,
    ),
    **dict.fromkeys(
        _words("checkout begin_checkout apply contact inquiry inquire message chat"), 4
    ),
    **dict.fromkeys(
        _words(
            "purchase buy bought order ordered transaction conversion book booking reserve "
            "reservation rent subscribe install enroll hire pay payment"
        ),
        5,
    ),
    **dict.fromkeys(
        _words(
            "dislike thumbs_down downvote skip hide report unlike unfollow unsubscribe remove "
            "delete remove_from_cart removefromcart return refund cancel not_interested block mute "
            "uninstall"
        ),
        0,
    ),
}


def plain(name: str) -> str:
    """A name in lower case with underscores: `productId`, `Product ID` and `product-id` agree."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip())
    return re.sub(r"[\W_]+", "_", spaced.lower()).strip("_")


def rank(name: str, usual: Sequence[str]) -> int:
    """How early a name stands among the usual ones; `len(usual)` when it does not."""
    want = plain(name)
    joined = want.replace("_", "")
    for place, known in enumerate(usual):
        if known in (want, joined) or known.replace("_", "") == joined:
            return place
    return len(usual)


def best_named(columns: Iterable[str], usual: Sequence[str]) -> str:
    """The column with the most usual name; empty when none has a usual one."""
    ranked = [(rank(column, usual), column) for column in columns]
    place, column = min(ranked, key=lambda pair: pair[0], default=(len(usual), ""))
    return column if place < len(usual) else ""
