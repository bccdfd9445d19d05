"""The words that listings are composed of, in Korean, English and Japanese.

Every entry means the same in the three languages, in the order of `LANGUAGES`, so a listing's
meaning (its product, condition, reason for sale) does not depend on the language it is told in.
"""

from __future__ import annotations

LANGUAGES = ("ko", "en", "ja")

Words = tuple[str, str, str]
"""One meaning in each of `LANGUAGES`."""

PRODUCTS: dict[str, tuple[tuple[str, str, str, float], ...]] = {
    # category: (Korean, English, Japanese, median price in dollars)
    "electronics": (
        ("무선 이어폰", "wireless earbuds", "ワイヤレスイヤホン", 60),
        ("블루투스 스피커", "Bluetooth speaker", "Bluetoothスピーカー", 45),
        ("스마트워치", "smartwatch", "スマートウォッチ", 110),
        ("미러리스 카메라", "mirrorless camera", "ミラーレスカメラ", 420),
        ("공기청정기", "air purifier", "空気清浄機", 80),
        ("로봇 청소기", "robot vacuum", "ロボット掃除機", 150),
        ("전자책 리더기", "e-book reader", "電子書籍リーダー", 70),
        ("빔프로젝터", "projector", "プロジェクター", 180),
    ),
    "computers": (
        ("기계식 키보드", "mechanical keyboard", "メカニカルキーボード", 65),
        ("무선 마우스", "wireless mouse", "ワイヤレスマウス", 25),
        ("27인치 모니터", "27-inch monitor", "27インチモニター", 140),
        ("노트북", "laptop", "ノートパソコン", 520),
        ("태블릿", "tablet", "タブレット", 240),
        ("그래픽카드", "graphics card", "グラフィックボード", 310),
        ("외장 SSD", "external SSD", "外付けSSD", 70),
        ("웹캠", "webcam", "ウェブカメラ", 35),
    ),
    "furniture": (
        ("원목 책상", "solid wood desk", "無垢材のデスク", 130),
        ("사무용 의자", "office chair", "オフィスチェア", 90),
        ("2인용 소파", "two-seat sofa", "二人掛けソファ", 190),
        ("책장", "bookshelf", "本棚", 55),
        ("스탠드 조명", "floor lamp", "フロアランプ", 35),
        ("접이식 식탁", "folding table", "折りたたみテーブル", 60),
        ("침대 프레임", "bed frame", "ベッドフレーム", 150),
        ("전신 거울", "full-length mirror", "姿見", 40),
    ),
    "clothing": (
        ("울 코트", "wool coat", "ウールコート", 75),
        ("청바지", "jeans", "ジーンズ", 25),
        ("패딩 점퍼", "puffer jacket", "ダウンジャケット", 85),
        ("니트 스웨터", "knit sweater", "ニットセーター", 22),
        ("운동화", "sneakers", "スニーカー", 48),
        ("가죽 가방", "leather bag", "レザーバッグ", 120),
        ("원피스", "dress", "ワンピース", 28),
        ("등산 바지", "hiking trousers", "登山パンツ", 30),
    ),
    "kids": (
        ("유모차", "stroller", "ベビーカー", 140),
        ("아기띠", "baby carrier", "抱っこひも", 45),
        ("나무 블록", "wooden blocks", "積み木", 18),
        ("카시트", "car seat", "チャイルドシート", 85),
        ("아동용 킥보드", "kids' scooter", "子ども用キックボード", 30),
        ("그림책 전집", "picture book set", "絵本セット", 40),
        ("아기 침대", "cot", "ベビーベッド", 80),
        ("인형의 집", "doll's house", "ドールハウス", 50),
    ),
    "sports": (
        ("로드 자전거", "road bike", "ロードバイク", 380),
        ("캠핑 텐트", "camping tent", "キャンプテント", 130),
        ("요가 매트", "yoga mat", "ヨガマット", 15),
        ("덤벨 세트", "dumbbell set", "ダンベルセット", 60),
        ("테니스 라켓", "tennis racket", "テニスラケット", 55),
        ("골프 클럽", "golf clubs", "ゴルフクラブ", 260),
        ("등산 배낭", "hiking backpack", "登山リュック", 65),
        ("스노보드", "snowboard", "スノーボード", 160),
    ),
    "books": (
        ("추리 소설", "mystery novels", "推理小説", 9),
        ("요리책", "cookbook", "料理本", 12),
        ("만화책 전권", "complete manga series", "漫画全巻", 45),
        ("역사책", "history book", "歴史の本", 11),
        ("프로그래밍 교재", "programming textbook", "プログラミングの教科書", 20),
        ("영어 문제집", "English workbook", "英語の問題集", 8),
        ("사진집", "photo book", "写真集", 24),
        ("시집", "poetry collection", "詩集", 8),
    ),
    "music": (
        ("통기타", "acoustic guitar", "アコースティックギター", 120),
        ("전자 피아노", "digital piano", "電子ピアノ", 290),
        ("우쿨렐레", "ukulele", "ウクレレ", 35),
        ("바이올린", "violin", "バイオリン", 170),
        ("턴테이블", "turntable", "レコードプレーヤー", 110),
        ("LP 레코드", "vinyl records", "LPレコード", 22),
        ("오디오 인터페이스", "audio interface", "オーディオインターフェース", 95),
        ("헤드폰", "headphones", "ヘッドホン", 80),
    ),
    "kitchen": (
        ("에스프레소 머신", "espresso machine", "エスプレッソマシン", 170),
        ("무쇠 냄비", "cast-iron pot", "鋳鉄鍋", 70),
        ("에어프라이어", "air fryer", "エアフライヤー", 45),
        ("전기밥솥", "rice cooker", "炊飯器", 60),
        ("식기 세트", "dinnerware set", "食器セット", 35),
        ("핸드 블렌더", "hand blender", "ハンドブレンダー", 25),
        ("커피 그라인더", "coffee grinder", "コーヒーミル", 50),
        ("주방 칼", "kitchen knife", "包丁", 40),
    ),
    "garden": (
        ("몬스테라 화분", "potted monstera", "モンステラの鉢植え", 22),
        ("다육 식물", "succulents", "多肉植物", 8),
        ("화분 받침대", "plant stand", "プランタースタンド", 18),
        ("정원용 호스", "garden hose", "散水ホース", 20),
        ("올리브 나무", "olive tree", "オリーブの木", 45),
        ("식물 조명", "grow light", "植物育成ライト", 30),
        ("야외 의자", "outdoor chair", "アウトドアチェア", 35),
        ("미니 온실", "mini greenhouse", "ミニ温室", 55),
    ),
    "pets": (
        ("캣타워", "cat tree", "キャットタワー", 50),
        ("강아지 이동가방", "dog carrier", "犬用キャリーバッグ", 35),
        ("수족관", "aquarium", "水槽", 75),
        ("자동 급식기", "automatic feeder", "自動給餌器", 40),
        ("고양이 화장실", "litter box", "猫用トイレ", 20),
        ("강아지 유모차", "dog stroller", "犬用カート", 80),
        ("햄스터 케이지", "hamster cage", "ハムスターケージ", 28),
        ("반려동물 침대", "pet bed", "ペットベッド", 22),
    ),
    "games": (
        ("휴대용 게임기", "handheld console", "携帯ゲーム機", 190),
        ("게임 컨트롤러", "game controller", "ゲームコントローラー", 38),
        ("보드게임", "board game", "ボードゲーム", 24),
        ("레고 세트", "LEGO set", "レゴセット", 60),
        ("카드 컬렉션", "trading cards", "トレーディングカード", 35),
        ("피규어", "figurine", "フィギュア", 48),
        ("퍼즐 1000피스", "1000-piece puzzle", "1000ピースパズル", 12),
        ("VR 헤드셋", "VR headset", "VRヘッドセット", 220),
    ),
}

COLOURS: tuple[Words, ...] = (
    ("검은색", "black", "黒の"),
    ("흰색", "white", "白い"),
    ("회색", "grey", "グレーの"),
    ("남색", "navy", "紺色の"),
    ("빨간색", "red", "赤い"),
    ("초록색", "green", "緑の"),
    ("베이지", "beige", "ベージュの"),
    ("노란색", "yellow", "黄色い"),
)

CONDITIONS: dict[str, tuple[Words, ...]] = {
    "new": (
        ("미개봉 새상품", "unopened", "新品未開封"),
        ("한 번도 안 쓴 새것", "brand new, never used", "未使用"),
    ),
    "like new": (
        ("거의 새것", "like new", "ほぼ新品"),
        ("두세 번 사용", "used two or three times", "数回のみ使用"),
    ),
    "good": (
        ("상태 좋음", "good condition", "状態良好"),
        ("깨끗하게 사용", "well looked after", "きれいに使用"),
    ),
    "fair": (
        ("생활 기스 있음", "some scratches", "使用感あり"),
        ("사용감 있음", "shows wear", "小傷あり"),
    ),
}

REASONS: tuple[Words, ...] = (
    ("이사 가게 되어 정리합니다.", "Selling because we are moving.", "引っ越しのため手放します。"),
    (
        "선물로 받았는데 쓰지 않아요.",
        "It was a gift I never use.",
        "いただき物ですが使っていません。",
    ),
    (
        "새 제품을 사서 내놓습니다.",
        "I bought a newer one, so this can go.",
        "買い替えたので出品します。",
    ),
    ("자리를 너무 많이 차지해요.", "It takes up too much room here.", "場所を取るので譲ります。"),
    (
        "아이가 커서 더는 필요 없어요.",
        "Our child has outgrown it.",
        "子どもが大きくなり不要になりました。",
    ),
    (
        "취미가 바뀌어서 판매합니다.",
        "I have moved on to another hobby.",
        "趣味が変わったので販売します。",
    ),
    (
        "몇 번 쓰고 보관만 했습니다.",
        "Used a little, then kept in a cupboard.",
        "少し使って保管していました。",
    ),
    ("급하게 처분합니다.", "It has to go this week.", "急ぎで処分したいです。"),
    (
        "정말 아끼던 물건이에요.",
        "I was very fond of it.",
        "とても気に入っていた品です。",
    ),
    (
        "미니멀 라이프를 시작했어요.",
        "I am clearing out the flat.",
        "断捨離中です。",
    ),
)

HANDOVERS: dict[str, Words] = {
    "meetup": (
        "{place}에서 직거래 가능합니다.",
        "Pick up in {place}.",
        "{place}で手渡しできます。",
    ),
    "parcel": ("택배로 보내드려요.", "I can post it.", "発送も可能です。"),
    "negotiable": ("가격 제안 받습니다.", "Open to offers.", "値下げ相談できます。"),
}

TITLES: tuple[Words, ...] = (
    (
        "{colour} {product} ({condition})",
        "{colour} {product}, {condition}",
        "{colour}{product} {condition}",
    ),
    ("{product} {condition}", "{product} ({condition})", "【{condition}】{product}"),
    ("{place} {product} 팝니다", "{product} for sale in {place}", "{place} {product}"),
    ("{product} {colour} 급처", "{colour} {product}, quick sale", "{colour}{product} 早い者勝ち"),
)

PLACES: dict[str, tuple[tuple[str, float, float], ...]] = {
    # the language spoken there: (name, kilometres east, kilometres north) on one flat map
    "ko": (
        ("서울", 0, 0),
        ("인천", -28, -8),
        ("수원", 4, -33),
        ("대전", 36, -135),
        ("대구", 142, -188),
        ("부산", 185, -265),
        ("광주", -10, -268),
    ),
    "en": (
        ("London", 9000, 1500),
        ("Bristol", 8830, 1495),
        ("Birmingham", 8880, 1605),
        ("Manchester", 8860, 1720),
        ("Leeds", 8900, 1750),
        ("Glasgow", 8710, 2000),
        ("Cardiff", 8790, 1500),
    ),
    "ja": (
        ("東京", 1150, -120),
        ("横浜", 1140, -150),
        ("名古屋", 890, -200),
        ("京都", 790, -220),
        ("大阪", 765, -255),
        ("福岡", 310, -410),
        ("札幌", 1160, 720),
    ),
}
